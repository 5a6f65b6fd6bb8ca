-- title: Errors by object and operation
-- unit: error events
-- good: lower is better
-- Error events, people and records per object and operation. Errors of a whole phase name no object and are shown
-- as "none". Errors of autosync count too. How many records of an object went through is not recorded by Vault, so
-- there is no rate here.
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
