"""GPUs that a plan can be made for by name, as the data sheets of their maker describe them."""

from dataclasses import dataclass

GB = 10**9


@dataclass(frozen=True)
class Gpu:
    """One kind of GPU.

    Attributes:
        size: bytes of its memory.
        flops: bfloat16 operations a second of its tensor cores, dense.
        bandwidth: bytes a second of its memory.
    """

    size: int
    flops: float
    bandwidth: float


GPUS = {  # NVIDIA's data sheets of the SXM modules; of Hopper they print twice the dense flops
    "a100": Gpu(80 * GB, 312e12, 2.039e12),  # A100 80GB, nvidia-a100-datasheet, June 2021
    "h100": Gpu(80 * GB, 989e12, 3.35e12),  # H100 SXM: 1,979 TFLOPS with sparsity
    "h200": Gpu(141 * GB, 989e12, 4.8e12),  # H200 SXM: 1,979 TFLOPS with sparsity
}
