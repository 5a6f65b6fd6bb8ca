-- title: VMOC for an inactive object
-- severity: error
-- cause: sync-configuration
-- basis: inference
-- why: Every field of the object is inactive, so the device has nothing to download. Veeva documents the similar
--   case of a missing object.
-- fix: Activate the object, or deactivate the VMOC in Business Admin > VMobile Object Configurations; then clear
--   the cache.
-- source: https://crmhelp.veeva.com/doc/Content/CRM_topics/Getting_Started/MobileDeviceSetup/OfflineValidationRules.htm
-- proof: Each sync reports a VMOC that cannot be downloaded.
-- needs: vmoc object_field
SELECT 'The VMOC ' || label || ' is active, but all fields of ' || object || ' are inactive.' AS what,
    'VMOC ' || vmoc_id AS place, object, NULL::VARCHAR AS field
FROM current_vmoc
WHERE is_active AND object IN (SELECT object FROM current_field GROUP BY object HAVING bool_and(active = false))
