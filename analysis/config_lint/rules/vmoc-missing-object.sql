-- title: VMOC for a missing object
-- severity: error
-- cause: sync-configuration
-- basis: Salesforce era
-- why: A VMOC for an object that does not exist prevented the refresh of offline validation rules until it was
--   deactivated.
-- fix: Business Admin > VMobile Object Configurations: deactivate the VMOC or correct its object, then clear the
--   cache.
-- source: https://crmhelp.veeva.com/doc/Content/CRM_topics/Getting_Started/MobileDeviceSetup/OfflineValidationRules.htm
-- proof: Each sync reports a VMOC that cannot be downloaded.
-- needs: vmoc object_field
WITH metadata AS (
    -- metadata of a few objects is no evidence about the others; complete metadata has nearly all of them
    SELECT count(DISTINCT object) FILTER (object IN (SELECT object FROM current_field)) * 2 >= count(DISTINCT object) AS enough
    FROM current_vmoc WHERE is_active AND object IS NOT NULL
)
SELECT 'The VMOC ' || label || ' names ' || coalesce('the object ' || object || ', which is not in the metadata.', 'no object.')
        AS what,
    'VMOC ' || vmoc_id AS place, object, NULL::VARCHAR AS field
FROM current_vmoc, metadata
WHERE is_active AND (object IS NULL OR enough AND object NOT IN (SELECT object FROM current_field))
