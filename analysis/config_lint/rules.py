"""Configuration lint: find known misconfigurations. Each rule is one .sql file of `rules/`.

A rule begins with `-- key: value` lines (KEYS) and selects `what` (a sentence), `place`, `object` and `field`, one
row per finding. It reads the relations in RELATIONS, which contain the newest row of each item, and no other
context tables. Missing data is never reported as a problem: a permission counts as missing only if a permission
set denies it.
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
BASES = ("Vault CRM", "Salesforce era", "inference")  # the source for the claim that it breaks sync
FINDING_COLUMNS = (
    "rule", "severity", "title", "what", "where", "object", "field", "why", "fix", "cause", "basis", "source",
)  # fmt: skip

RELATIONS: Mapping[str, str] = {
    "current_vmoc": r"""
        SELECT *, coalesce(name, vmoc_id) AS label, nullif(trim(where_clause), '') AS filter,
            coalesce(active, true) AS is_active,
            json_extract_string(try_cast(extra AS JSON), '$.security_profile__v') AS security_profile,
            nullif(regexp_replace(lower(trim(device)), '(__v|_vod)\b', '', 'g'), '') AS for_device,
            string_split_regex(for_device, '[,;\s]+') AS devices
        FROM vmoc QUALIFY row_number() OVER (PARTITION BY vmoc_id ORDER BY as_of DESC) = 1
    """,
    "current_field": """
        SELECT * FROM object_field
        QUALIFY row_number() OVER (PARTITION BY object, name ORDER BY as_of DESC) = 1
    """,
    "current_grant": """
        SELECT * FROM permission_grant
        QUALIFY row_number() OVER (PARTITION BY permission_set, object, field ORDER BY as_of DESC) = 1
    """,
    "current_setting": """
        SELECT *, try_cast(value AS DOUBLE) AS number, nullif(trim(scope), '') AS only_for
        FROM veeva_setting QUALIFY row_number() OVER (PARTITION BY setting_id ORDER BY as_of DESC) = 1
    """,
    # users who sync; for others a missing permission has no effect
    "mobile_user": """
        SELECT * FROM current_user_info
        WHERE coalesce(active, true) AND user_id IN (
            SELECT user_id FROM detailed_sync
            UNION SELECT user_id FROM current_device
            UNION SELECT user_id FROM sync_error)
    """,
    # each combination of permission sets of mobile users; the security profile, if grants are known only by profile;
    # each set alone, if no user's sets are known
    "combination": """
        SELECT permission_sets AS sets, trim(unnest(string_split(permission_sets, ','))) AS permission_set,
            count(*) AS users, 'permission set' AS kind
        FROM mobile_user WHERE permission_sets IS NOT NULL GROUP BY permission_sets
        UNION ALL
        SELECT security_profile, security_profile, count(*), 'security profile' FROM mobile_user
        WHERE coalesce(permission_sets LIKE '%,%', true)
            AND security_profile IN (SELECT permission_set FROM current_grant)
        GROUP BY security_profile
        UNION ALL
        SELECT DISTINCT permission_set, permission_set, NULL::BIGINT, 'permission set' FROM current_grant
        WHERE NOT EXISTS (
            SELECT 1 FROM mobile_user WHERE permission_sets IS NOT NULL
                OR security_profile IN (SELECT permission_set FROM current_grant))
    """,
    # the combined grants of a combination of sets; NULL if no set of it has a grant
    "effective_grant": """
        SELECT sets, any_value(users) AS users, object, field,
            bool_or(can_read) AS can_read, bool_or(can_create) AS can_create,
            bool_or(can_edit) AS can_edit, bool_or(can_delete) AS can_delete,
            any_value(kind) || CASE WHEN sets LIKE '%,%' THEN 's ' ELSE ' ' END || sets
                || coalesce(' (' || any_value(users) || ' mobile user' || if(any_value(users) = 1, ')', 's)'), '')
                AS place
        FROM combination AS c JOIN current_grant AS g ON g.permission_set = c.permission_set
        GROUP BY sets, object, field
    """,
}
_DEPENDENCIES = {
    "combination": ("mobile_user", "current_grant"),
    "effective_grant": ("mobile_user", "current_grant", "combination"),
}


@dataclass(frozen=True, slots=True)
class LintRule:
    """One known misconfiguration. `cause` is the id of its playbook, `basis` the source of the rule (BASES).

    `proof` states what fails in the reference engine with this fault, and what the engine cannot show. `needs` are
    the tables that must have rows.
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
        """Read a rule file. Raises ValueError if its header does not have valid KEYS in their order."""
        comment = re.match(r"(?:--.*\n)+", text)
        header = re.sub(r"\n--   +", " ", comment[0] if comment else "")
        values = dict(re.findall(r"^-- (\w+): (.+)$", header, re.MULTILINE))
        if tuple(values) != KEYS or values["severity"] not in SEVERITIES or values["basis"] not in BASES:
            raise ValueError(f"{name}.sql must begin with {', '.join(f'-- {key}:' for key in KEYS)}")
        needs = tuple(values.pop("needs").split())
        return cls(name=name, needs=needs, sql=text, **values)

    def query(self) -> str:
        """Return the rule's query, preceded by the relations that it reads."""
        used = [name for name in RELATIONS if re.search(rf"\b{name}\b", self.sql)]
        needed = {*used, *(other for name in used for other in _DEPENDENCIES.get(name, ()))}
        relations = [f"{name} AS ({text})" for name, text in RELATIONS.items() if name in needed]
        body = re.sub(r"^--.*\n", "", self.sql, flags=re.MULTILINE).strip()
        if not relations:
            return body
        if body.startswith("WITH "):
            return f"WITH {', '.join([*relations, body.removeprefix('WITH ').lstrip()])}"
        return f"WITH {', '.join(relations)} {body}"


def load_rules() -> Mapping[str, LintRule]:
    """Read every rule of the folder, by name, sorted."""
    texts = {
        entry.name.removesuffix(".sql"): entry.read_text("utf-8")
        for entry in files("analysis.config_lint").joinpath("rules").iterdir()
        if entry.name.endswith(".sql")
    }
    return {name: LintRule.parse(name, texts[name]) for name in sorted(texts)}


LINT_RULES: Mapping[str, LintRule] = load_rules()


def lint(connection: DuckDBPyConnection) -> pd.DataFrame:
    """Check the loaded configuration with every rule. Returns a row (FINDING_COLUMNS) per finding, errors first.

    An empty frame means no finding in the loaded data; `lint_gaps` lists the rules that could not be checked.
    """
    loaded = _loaded_tables(connection)
    rules = [rule for rule in LINT_RULES.values() if not _missing_tables(rule, loaded)]
    findings = [finding for rule in rules for finding in _run_rule(connection, rule)]
    findings.sort(key=lambda row: (SEVERITIES.index(row["severity"]), row["rule"], row["where"], row["what"]))
    return pd.DataFrame(findings, columns=list(FINDING_COLUMNS), dtype="object")


def lint_gaps(connection: DuckDBPyConnection) -> pd.DataFrame:
    """List the rules that were not checked, or not for most objects: rule, title, reason."""
    loaded, metadata_gap = _loaded_tables(connection), _metadata_gap(connection)
    rows = [
        (rule.name, rule.title, reason)
        for rule in LINT_RULES.values()
        if (reason := _gap_reason(rule, loaded, metadata_gap))
    ]
    return pd.DataFrame(rows, columns=["rule", "title", "reason"])


def _gap_reason(rule: LintRule, loaded: set[str], metadata_gap: str | None) -> str | None:
    if missing := _missing_tables(rule, loaded):
        return f"no data is loaded into {', '.join(missing)}"
    return metadata_gap if {"vmoc", "object_field"} <= set(rule.needs) else None


def _metadata_gap(connection: DuckDBPyConnection) -> str | None:
    """Return a sentence if metadata is loaded for less than half of the objects with a VMOC, or None."""
    row = connection.execute(
        "SELECT count(DISTINCT object), "
        "count(DISTINCT object) FILTER (object IN (SELECT object FROM object_field)) "
        "FROM vmoc WHERE coalesce(active, true)"
    ).fetchone()
    objects, described = row or (0, 0)
    if described * 2 >= objects:
        return None
    return f"metadata is loaded for {described} of {objects} objects with a VMOC"


def _run_rule(connection: DuckDBPyConnection, rule: LintRule) -> Iterator[dict[str, str | None]]:
    keys = ("severity", "title", "why", "fix", "cause", "basis", "source")
    header = {"rule": rule.name} | {key: getattr(rule, key) for key in keys}
    for what, place, name, field in connection.execute(rule.query()).fetchall():
        yield header | {"what": what, "where": place, "object": name, "field": field}


def _loaded_tables(connection: DuckDBPyConnection) -> set[str]:
    tables = {table for rule in LINT_RULES.values() for table in rule.needs}
    return {
        table
        for table in sorted(tables)
        if connection.execute(f"SELECT EXISTS (SELECT 1 FROM {table})").fetchone() == (True,)
    }


def _missing_tables(rule: LintRule, loaded: set[str]) -> list[str]:
    return [table for table in rule.needs if table not in loaded]
