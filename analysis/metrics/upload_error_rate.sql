-- title: Upload errors per 1,000 records
-- unit: errors per 1,000 records
-- good: lower is better
-- 1,000 times the records that could not be uploaded, divided by all records that tracked syncs tried to upload, per
-- sync type. The documentation calls number_of_uploads__v the uploaded records; refused records are assumed not to be
-- included, so tried = uploaded + refused. Canceled and unfinished syncs are counted, since their records were tried.
SELECT
    sync_type,
    count(*) AS syncs,
    cast(sum(coalesce(uploads, 0)) + sum(coalesce(upload_errors, 0)) AS BIGINT) AS records,
    cast(sum(coalesce(upload_errors, 0)) AS BIGINT) AS errors,
    1000e0 * sum(coalesce(upload_errors, 0))
        / nullif(sum(coalesce(uploads, 0)) + sum(coalesce(upload_errors, 0)), 0) AS errors_per_1000
FROM sync
GROUP BY sync_type
ORDER BY errors DESC, sync_type
