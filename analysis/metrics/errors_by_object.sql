-- title: Errors by object and operation
-- unit: error events
-- good: lower is better
-- Error events, users and records per object and operation. Errors of a whole phase have no object and are shown
-- as "none". Errors of autosync are included. Vault does not record how many records of an object were uploaded
-- successfully, so there is no rate.
SELECT
    coalesce(object, 'none') AS object,
    coalesce(operation, 'none') AS operation,
    count(*) AS events,
    count(DISTINCT user_id) AS users,
    count(DISTINCT coalesce(device_id, user_id)) AS devices,
    count(DISTINCT record_id) AS records
FROM error
GROUP BY coalesce(object, 'none'), coalesce(operation, 'none')
ORDER BY users DESC, events DESC, object, operation
