-- title: VMOC for an object that does not exist
-- severity: error
-- cause: sync-configuration
-- basis: Salesforce era
-- why: A VMOC for an object that does not exist kept the refresh of offline validation rules from
--   completing until it was deactivated.
-- fix: Business Admin > VMobile Object Configurations: deactivate the VMOC or correct its object, then
--   clear the cache.
-- source: https://crmhelp.veeva.com/doc/Content/CRM_topics/Getting_Started/MobileDeviceSetup/OfflineValidationRules.htm
-- proof: Each sync reports a VMOC that cannot be served.
-- needs: vmoc object_field
WITH known AS (
    -- metadata of a few objects says nothing of the others; a whole description leaves hardly any out
    SELECT count(DISTINCT object) FILTER (object IN (SELECT object FROM now_field)) * 2 >= count(DISTINCT object) AS enough
    FROM now_vmoc WHERE on_duty AND object IS NOT NULL
)
SELECT 'The VMOC ' || label || ' names ' || coalesce('the object ' || object || ', which is not in the metadata.', 'no object.')
        AS what,
    'VMOC ' || vmoc_id AS place, object, NULL::VARCHAR AS field
FROM now_vmoc, known
WHERE on_duty AND (object IS NULL OR enough AND object NOT IN (SELECT object FROM now_field))
