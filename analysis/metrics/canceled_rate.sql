-- title: Canceled and unfinished syncs
-- unit: share of syncs, 0 to 1
-- good: lower is better
-- Share of tracked syncs that the user canceled, and share without a completion, per sync type. Neither is a
-- failure: users cancel slow syncs, and the documented reason for a missing completion is a non-blocking sync that
-- was restarted by hand. Both suggest syncs that are slower than users accept.
SELECT
    sync_type,
    count(*) AS syncs,
    count(*) FILTER (WHERE outcome = 'canceled') AS canceled,
    count(*) FILTER (WHERE outcome = 'unfinished') AS unfinished,
    count(*) FILTER (WHERE outcome = 'canceled') * 1e0 / count(*) AS canceled_share,
    count(*) FILTER (WHERE outcome = 'unfinished') * 1e0 / count(*) AS unfinished_share
FROM sync
GROUP BY sync_type
ORDER BY syncs DESC, sync_type
