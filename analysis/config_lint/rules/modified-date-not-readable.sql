-- title: No Read on modified_date__v of an object that syncs
-- severity: error
-- cause: field-permission
-- basis: Vault CRM
-- why: Incremental sync needs Read field permission on modified_date__v of every object with an active
--   VMOC; Read on the object does not grant it.
-- fix: Admin > Users & Groups > Permission Sets > the set > Objects > the object: grant Read on
--   modified_date__v, then clear the cache.
-- source: https://vaultcrmhelp.veeva.com/doc/Content/CRM_topics/Getting_Started/MobileDeviceSetup/Sync/UsingIncrementalSync.htm
-- proof: An account that was changed in Vault stays as it was on the device, and each sync reports it.
-- needs: permission_grant vmoc
SELECT 'modified_date__v of ' || object || ' may not be read.' AS what, place, object, field
FROM may
WHERE field = 'modified_date__v' AND can_read = false AND object IN (SELECT object FROM now_vmoc WHERE on_duty)
