-- title: Upload backlog
-- noun: syncs with a backlog
-- compare: listed
-- users: 2
-- failures: no
-- changes: setting app_version
-- causes: network app-suspended local-database-busy payload-too-large session-expired
-- open: Why transactions accumulate on these devices. Veeva does not document what counts as a VTrans.
-- A sync with at least 20 VTrans and ten times the usual number of its user's other syncs, from the third sync on.
SELECT sync_id, true AS starts FROM (
    SELECT sync_id, vtrans, row_number() OVER (PARTITION BY who ORDER BY started_at, sync_id) AS place,
        median(vtrans) OVER (PARTITION BY who) AS usual
    FROM judged_sync WHERE vtrans IS NOT NULL
)
WHERE place > 2 AND vtrans >= 20 AND vtrans > 10 * greatest(usual, 1)
