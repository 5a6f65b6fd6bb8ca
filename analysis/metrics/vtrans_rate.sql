-- title: VTrans files per 1,000 syncs
-- unit: files per 1,000 syncs
-- good: lower is better
-- 1,000 times the sync transaction files (number_of_vtrans__v) divided by the tracked syncs, per sync type. Each file
-- is work for support. All outcomes are counted; a row without a number counts as zero.
SELECT
    sync_type,
    count(*) AS syncs,
    cast(sum(coalesce(vtrans, 0)) AS BIGINT) AS vtrans,
    1000e0 * sum(coalesce(vtrans, 0)) / count(*) AS vtrans_per_1000
FROM sync
GROUP BY sync_type
ORDER BY syncs DESC, sync_type
