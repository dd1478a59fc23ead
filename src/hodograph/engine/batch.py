"""Small parameters of one shape that are measured together on a device."""

from dataclasses import dataclass

from hodograph.matrices.pairing import Parameter


@dataclass(frozen=True)
class Batch(Parameter):
    """Stored parameters handed on as one unit, with one part; named after the first of them.

    Attributes:
        members: the parameters, in name order.
    """

    members: tuple[Parameter, ...]


def batch_of(members: tuple[Parameter, ...]) -> Batch:
    """The unit that several parameters make."""
    first, *others = members
    return Batch(
        name=f"{first.name} and {len(others)} alike" if others else first.name,
        tuned_names=first.tuned_names,
        role=first.role,
        blocks=tuple(block for member in members for block in member.blocks),
        entries=sum(member.entries for member in members),
        members=members,
    )


def members_of(unit: Parameter) -> tuple[Parameter, ...]:
    """The stored parameters in a unit: itself, or those of a batch."""
    return unit.members if isinstance(unit, Batch) else (unit,)
