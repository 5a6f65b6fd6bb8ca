-- title: Broken VMOCs
-- reads: sync-configuration object-permission schema-mismatch
-- decides: sync-configuration
-- overrules: sync-configuration over object-permission schema-mismatch
-- key: event_id
-- why: A VMOC that configuration lint reports as an error cannot be downloaded, so it explains errors on its object
--   outside uploads. The VMOC snapshot must be valid for the time of the error: nothing about the object changed
--   between the two. The table vmoc_problem holds the lint findings of the VMOC rules (object, what).
WITH problem AS (
    SELECT object, string_agg(what, ' ' ORDER BY what) AS evidence FROM vmoc_problem
    WHERE object IS NOT NULL AND what IS NOT NULL GROUP BY object
),
snapshot AS (SELECT object, max(as_of) AS as_of FROM vmoc WHERE object IS NOT NULL GROUP BY object)
SELECT a.event_id, 'sync-configuration' AS cause, 0.85 AS confidence, p.evidence
FROM candidate AS a JOIN problem AS p ON p.object = a.object JOIN snapshot AS s ON s.object = a.object
WHERE NOT EXISTS (
    SELECT 1 FROM config_change AS c WHERE c.kind IN ('vmoc', 'object', 'field') AND c.object = a.object
        AND c.changed_at > least(a.occurred_at, s.as_of) AND c.changed_at <= greatest(a.occurred_at, s.as_of))
