from hodograph.checkpoints import open_trajectory
from hodograph.matrices.pairing import pair
from hodograph.matrices.renaming import renamed


def test_each_way_in_which_names_differ_is_one_line(tmp_path, write_checkpoint, layered):
    base = layered(0)
    wrapped = {f"module._orig_mod.{name}": tensor for name, tensor in layered(1).items()}
    bare = {name.removeprefix("model."): tensor for name, tensor in layered(2).items()}
    folders = [
        write_checkpoint(tmp_path / f"step_{i}", t)
        for i, t in enumerate((base, wrapped, bare, base))
    ]
    trajectory = open_trajectory(folders[0], folders[1:])
    parameters, _ = pair(trajectory, "linear", "error")
    assert renamed(parameters, trajectory) == [
        f"{folders[1]}: module._orig_mod is (no prefix) in the base (4 parameters)",
        f"{folders[2]}: (no prefix) is model in the base (4 parameters)",
    ]
