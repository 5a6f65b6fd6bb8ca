"""Configuration lint: known misconfigurations found before they hurt. Each rule is one .sql file of `rules/`.

A rule begins with its meaning as `-- key: value` lines (KEYS) and selects `what` (a sentence), `place`,
`object` and `field`, a row for each finding. It reads the relations of RELATIONS, which hold the newest word
on each thing, and nothing else of the context tables. What is not stated in the store is never held against
anybody: a right counts as missing only where a permission set says so.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.resources import files

import pandas as pd
from duckdb import DuckDBPyConnection

KEYS = ("title", "severity", "cause", "basis", "why", "fix", "source", "proof", "needs")
SEVERITIES = ("error", "warning", "note")
BASES = ("Vault CRM", "Salesforce era", "inference")  # who says that it breaks sync
FINDING_COLUMNS = (
    "rule", "severity", "title", "what", "where", "object", "field", "why", "fix", "cause", "basis", "source",
)  # fmt: skip

RELATIONS: Mapping[str, str] = {
    "now_vmoc": r"""
        SELECT *, coalesce(name, vmoc_id) AS label, nullif(trim(where_clause), '') AS filter,
            coalesce(active, true) AS on_duty,
            json_extract_string(try_cast(extra AS JSON), '$.security_profile__v') AS security_profile,
            nullif(regexp_replace(lower(trim(device)), '(__v|_vod)\b', '', 'g'), '') AS for_device,
            string_split_regex(for_device, '[,;\s]+') AS devices
        FROM vmoc QUALIFY row_number() OVER (PARTITION BY vmoc_id ORDER BY as_of DESC) = 1
    """,
    "now_field": """
        SELECT * FROM object_field
        QUALIFY row_number() OVER (PARTITION BY object, name ORDER BY as_of DESC) = 1
    """,
    "now_grant": """
        SELECT * FROM permission_grant
        QUALIFY row_number() OVER (PARTITION BY permission_set, object, field ORDER BY as_of DESC) = 1
    """,
    "now_setting": """
        SELECT *, try_cast(value AS DOUBLE) AS number, nullif(trim(scope), '') AS only_for
        FROM veeva_setting QUALIFY row_number() OVER (PARTITION BY setting_id ORDER BY as_of DESC) = 1
    """,
    # people who sync; of anybody else a missing right says nothing
    "mobile_user": """
        SELECT * FROM current_user_info
        WHERE coalesce(active, true) AND user_id IN (
            SELECT user_id FROM detailed_sync
            UNION SELECT user_id FROM current_device
            UNION SELECT user_id FROM sync_error)
    """,
    # each combination of permission sets of mobile users; where rights are known only in sum, under the name of the
    # security profile, that; every set by itself where nobody's are known
    "combination": """
        SELECT permission_sets AS sets, trim(unnest(string_split(permission_sets, ','))) AS permission_set,
            count(*) AS users, 'permission set' AS kind
        FROM mobile_user WHERE permission_sets IS NOT NULL GROUP BY permission_sets
        UNION ALL
        SELECT security_profile, security_profile, count(*), 'security profile' FROM mobile_user
        WHERE coalesce(permission_sets LIKE '%,%', true)
            AND security_profile IN (SELECT permission_set FROM now_grant)
        GROUP BY security_profile
        UNION ALL
        SELECT DISTINCT permission_set, permission_set, NULL::BIGINT, 'permission set' FROM now_grant
        WHERE NOT EXISTS (
            SELECT 1 FROM mobile_user WHERE permission_sets IS NOT NULL
                OR security_profile IN (SELECT permission_set FROM now_grant))
    """,
    # what a combination of sets may do in sum; NULL where no set of it says anything
    "may": """
        SELECT sets, any_value(users) AS users, object, field,
            bool_or(can_read) AS can_read, bool_or(can_create) AS can_create,
            bool_or(can_edit) AS can_edit, bool_or(can_delete) AS can_delete,
            any_value(kind) || CASE WHEN sets LIKE '%,%' THEN 's ' ELSE ' ' END || sets
                || coalesce(' (' || any_value(users) || ' mobile user' || if(any_value(users) = 1, ')', 's)'), '')
                AS place
        FROM combination AS c JOIN now_grant AS g ON g.permission_set = c.permission_set
        GROUP BY sets, object, field
    """,
}
_USES = {
    "combination": ("mobile_user", "now_grant"),
    "may": ("mobile_user", "now_grant", "combination"),
}


@dataclass(frozen=True, slots=True)
class LintRule:
    """One known misconfiguration: `cause` names its playbook, `basis` who says that it hurts.

    `proof` says what goes wrong in the reference engine where the fault is planted, and what that cannot show.
    """

    name: str
    title: str
    severity: str
    cause: str
    basis: str
    why: str
    fix: str
    source: str
    proof: str
    needs: tuple[str, ...]
    sql: str

    @classmethod
    def parse(cls, name: str, text: str) -> LintRule:
        """Read a rule file; raises ValueError when its head is not KEYS in their order, or unusable."""
        head = re.match(r"(?:--.*\n)+", text)
        joined = re.sub(r"\n--   +", " ", head[0] if head else "")
        label = dict(re.findall(r"^-- (\w+): (.+)$", joined, re.MULTILINE))
        if tuple(label) != KEYS or label["severity"] not in SEVERITIES or label["basis"] not in BASES:
            raise ValueError(f"{name}.sql must begin with {', '.join(f'-- {key}:' for key in KEYS)}")
        needs = tuple(label.pop("needs").split())
        return cls(name=name, needs=needs, sql=text, **label)

    def query(self) -> str:
        """Write the rule's query with the relations that it reads in front."""
        read = [name for name in RELATIONS if re.search(rf"\b{name}\b", self.sql)]
        wanted = {*read, *(used for name in read for used in _USES.get(name, ()))}
        parts = [f"{name} AS ({text})" for name, text in RELATIONS.items() if name in wanted]
        body = re.sub(r"^--.*\n", "", self.sql, flags=re.MULTILINE).strip()
        own = [body.removeprefix("WITH ").lstrip()] if body.startswith("WITH ") else []
        return f"WITH {', '.join(parts + own)}" + ("" if own else f" {body}") if parts else body


def load_rules() -> Mapping[str, LintRule]:
    """Every rule of the folder by name, sorted."""
    found = {
        entry.name.removesuffix(".sql"): entry.read_text("utf-8")
        for entry in files("analysis.config_lint").joinpath("rules").iterdir()
        if entry.name.endswith(".sql")
    }
    return {name: LintRule.parse(name, found[name]) for name in sorted(found)}


LINT_RULES: Mapping[str, LintRule] = load_rules()


def lint(connection: DuckDBPyConnection) -> pd.DataFrame:
    """Check the loaded configuration by every rule: a row (FINDING_COLUMNS) per finding, errors first.

    No row means that nothing was found in what is loaded; `lint_gaps` says what could not be checked.
    """
    loaded = _loaded(connection)
    checked = [rule for rule in LINT_RULES.values() if not _missing(rule, loaded)]
    found = [row for rule in checked for row in _findings(connection, rule)]
    found.sort(key=lambda row: (SEVERITIES.index(row["severity"]), row["rule"], row["where"], row["what"]))
    return pd.DataFrame(found, columns=list(FINDING_COLUMNS), dtype="object")


def lint_gaps(connection: DuckDBPyConnection) -> pd.DataFrame:
    """List the rules that could not be checked, or of most objects not: rule, title, reason."""
    loaded, undescribed = _loaded(connection), _undescribed(connection)
    rows = [
        (rule.name, rule.title, reason)
        for rule in LINT_RULES.values()
        if (reason := _why_not(rule, loaded, undescribed))
    ]
    return pd.DataFrame(rows, columns=["rule", "title", "reason"])


def _why_not(rule: LintRule, loaded: set[str], undescribed: str | None) -> str | None:
    if missing := _missing(rule, loaded):
        return f"nothing is loaded into {', '.join(missing)}"
    return undescribed if {"vmoc", "object_field"} <= set(rule.needs) else None


def _undescribed(connection: DuckDBPyConnection) -> str | None:
    """Say how few of the objects that VMOCs name are described, where it is less than half of them."""
    row = connection.execute(
        "SELECT count(DISTINCT object), "
        "count(DISTINCT object) FILTER (object IN (SELECT object FROM object_field)) "
        "FROM vmoc WHERE coalesce(active, true)"
    ).fetchone()
    named, described = row or (0, 0)
    if described * 2 >= named:
        return None
    return f"of the {named} objects that VMOCs name, the metadata of {described} is loaded"


def _findings(connection: DuckDBPyConnection, rule: LintRule) -> Iterator[dict[str, str | None]]:
    told = ("severity", "title", "why", "fix", "cause", "basis", "source")
    about = {"rule": rule.name} | {key: getattr(rule, key) for key in told}
    for what, place, name, field in connection.execute(rule.query()).fetchall():
        yield about | {"what": what, "where": place, "object": name, "field": field}


def _loaded(connection: DuckDBPyConnection) -> set[str]:
    tables = {table for rule in LINT_RULES.values() for table in rule.needs}
    return {
        table
        for table in sorted(tables)
        if connection.execute(f"SELECT EXISTS (SELECT 1 FROM {table})").fetchone() == (True,)
    }


def _missing(rule: LintRule, loaded: set[str]) -> list[str]:
    return [table for table in rule.needs if table not in loaded]
