"""Which column plays which part: the one declaration that every verb reads."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import KW_ONLY, dataclass, field, fields, replace
from types import MappingProxyType
from typing import Literal, get_args

from riskbench.data.money import NO_CURRENCY
from riskbench.errors import ParameterError, listed, nearest

Domain = Literal["transactions", "kyc", "onboarding", "affiliation"]
DOMAINS: tuple[Domain, ...] = get_args(Domain)

#: Money measures beside the amount, and what each means.
MEASURES: Mapping[str, str] = MappingProxyType(
    {
        "loss": "what a confirmed fraud cost (net of what was recovered); overrides amount x loss share",
        "margin": "what a good event earns; overrides amount x margin",
        "subsidy": "voucher and promotion money in the event",
        "commission": "creator commission in the event",
        "shipping": "shipping paid by the platform",
        "refund": "money paid back",
        "recovered": "money got back after a loss",
    }
)


@dataclass(frozen=True)
class Roles:
    """Which column plays which part. Only `id` is required.

    Use one for every source that is not the sample. What is left out is said on the page: without `time`
    there are no weeks and no velocity, without `amount` no money, without `label_time` labels count as mature.

    Parameters
    ----------
    id : str
        The event's id.
    time : str, optional
        When the event happened.
    label : str, optional
        1/true = fraud, 0/false = good, missing = no verdict; or words, with `fraud_values` naming those that
        mean fraud and `good_values` those that mean good.
    label_time : str, optional
        When the verdict became known.
    amount : str, optional
        The event's money, in major units.
    measures : mapping, optional
        Further money columns by meaning: loss, margin, subsidy, commission, shipping, refund, recovered.
    currency : str
        A column, or an ISO code.
    score : str, optional
        A model score; higher is riskier.
    outcome : str, optional
        What was done in history (approve, challenge, review, block).
    region : str, optional
        The region column.
    entities : sequence of str
        Columns that name who or what acted (buyer, device, card).
    segments : sequence of str
        Columns to break results down by.
    groups : sequence of str
        Columns that name groups of people who must be treated alike (country, language, new sellers): no cut uses
        one without saying so.
    decision_point : str, optional
        A column, or the name of the moment at which the decision is taken.
    let_through : str, optional
        The inclusion probability of a random holdout that skipped the rules.
    label_source : str, optional
        Who told the verdict: chargeback, complaint, refused delivery and so on.
    dispute_channel : str, optional
        The column that tells whether anybody could dispute the event, such as its payment method.
    no_dispute : sequence of str
        Its values with no dispute channel, such as cod and transfer: silence about such events is not good.
    fraud_values, good_values : sequence
        The label's words, when it is a text column.

    Examples
    --------
    >>> from riskbench import Roles
    >>> Roles(id="order_id", time="placed_at", label="fraud").named()
    {'id': 'order_id', 'time': 'placed_at', 'label': 'fraud'}
    """

    id: str
    _: KW_ONLY
    time: str | None = None
    label: str | None = None
    label_time: str | None = None
    amount: str | None = None
    measures: Mapping[str, str] = field(default_factory=dict)
    currency: str = NO_CURRENCY
    score: str | None = None
    outcome: str | None = None
    region: str | None = None
    entities: tuple[str, ...] = ()
    segments: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    decision_point: str | None = None
    let_through: str | None = None
    label_source: str | None = None
    dispute_channel: str | None = None
    no_dispute: tuple[object, ...] = ()
    fraud_values: tuple[object, ...] = ()
    good_values: tuple[object, ...] = ()

    def __post_init__(self) -> None:
        for name in ("entities", "segments", "groups", "no_dispute", "fraud_values", "good_values"):
            value = getattr(self, name)
            if isinstance(value, str) or not isinstance(value, Iterable):
                value = (value,)
            object.__setattr__(self, name, tuple(value))
        if not isinstance(self.measures, Mapping):
            raise ParameterError("The role 'measures' maps a meaning to a column", got=repr(self.measures))
        for meaning in self.measures:
            if meaning not in MEASURES:
                close = nearest(meaning, MEASURES)
                raise ParameterError(
                    f"{meaning!r} is not a money measure",
                    allowed=listed(MEASURES),
                    hint=f"did you mean {close!r}?" if close else None,
                )
        object.__setattr__(self, "measures", MappingProxyType(dict(self.measures)))
        for name in ("id", *SINGLE):
            value = getattr(self, name)
            if value is not None and not isinstance(value, str):
                raise ParameterError(f"The role {name!r} names one column", got=repr(value), allowed="text")
        if not self.id:
            raise ParameterError("The role 'id' is required", hint='Roles(id="order_id", ...)')
        if bool(self.no_dispute) != (self.dispute_channel is not None):
            raise ParameterError(
                "The roles 'dispute_channel' and 'no_dispute' go together",
                got=f"dispute_channel={self.dispute_channel!r}, no_dispute={self.no_dispute!r}",
                hint='dispute_channel="payment_method", no_dispute=("cod", "transfer")',
            )
        odd = [one for one in self.no_dispute if not isinstance(one, str | int | float)]
        if odd:
            raise ParameterError("The role 'no_dispute' lists values of a column", got=repr(odd[0]), allowed="text")

    def __reduce__(self) -> tuple[object, ...]:
        return (_rebuild, ({**{f.name: getattr(self, f.name) for f in fields(self)}, "measures": dict(self.measures)},))

    @classmethod
    def from_mapping(cls, roles: Mapping[str, object] | Roles) -> Roles:
        """Return roles from a plain mapping, as playbook parameters hand them over.

        Raises
        ------
        ParameterError
            For a role that does not exist.
        """
        if isinstance(roles, Roles):
            return roles
        known = [f.name for f in fields(cls)]
        for name in roles:
            if name not in known:
                close = nearest(str(name), known)
                raise ParameterError(
                    f"{name!r} is not a role",
                    allowed=listed(known, most=20),
                    hint=f"did you mean {close!r}?" if close else None,
                )
        if "id" not in roles:
            raise ParameterError("The role 'id' is required", got=listed(roles), hint='{"id": "order_id", ...}')
        return cls(**roles)  # type: ignore[arg-type]

    def with_roles(self, **changes: object) -> Roles:
        """Return the roles with some of them changed."""
        return replace(self, **{"measures": dict(self.measures), **changes})  # type: ignore[arg-type]

    def named(self) -> dict[str, str]:
        """Return each single role that names a column, except currency and decision point."""
        return {name: value for name in ("id", *SINGLE) if (value := getattr(self, name)) is not None}

    def columns(self) -> dict[str, str]:
        """Return every column that a role names, with the role's name."""
        found = {column: role for role, column in self.named().items()}
        for role in ("entities", "segments", "groups"):
            for column in getattr(self, role):
                found.setdefault(column, role)
        for meaning, column in self.measures.items():
            found.setdefault(column, f"measures.{meaning}")
        return found


SINGLE = (
    "time",
    "label",
    "label_time",
    "amount",
    "score",
    "outcome",
    "region",
    "let_through",
    "label_source",
    "dispute_channel",
)


def _rebuild(values: dict[str, object]) -> Roles:
    return Roles(**values)  # type: ignore[arg-type]
