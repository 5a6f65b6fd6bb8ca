-- title: modified_date__v not readable
-- severity: error
-- cause: field-permission
-- basis: Vault CRM
-- why: Incremental sync needs Read field permission on modified_date__v of every object with an active VMOC; Read
--   on the object does not grant it.
-- fix: Admin > Users & Groups > Permission Sets > the set > Objects > the object: grant Read on modified_date__v,
--   then clear the cache.
-- source: https://vaultcrmhelp.veeva.com/doc/Content/CRM_topics/Getting_Started/MobileDeviceSetup/Sync/UsingIncrementalSync.htm
-- proof: An account that changed in Vault is not updated on the device, and each sync reports it.
-- needs: permission_grant vmoc
SELECT 'modified_date__v of ' || object || ' is not readable.' AS what, place, object, field
FROM effective_grant
WHERE field = 'modified_date__v' AND can_read = false AND object IN (SELECT object FROM current_vmoc WHERE is_active)
