-- title: Active VMOC without a device
-- severity: warning
-- cause: sync-configuration
-- basis: Vault CRM
-- why: An object syncs to a device through an active VMOC for that device (device__v). A VMOC without a device has
--   no effect.
-- fix: Business Admin > VMobile Object Configurations: set the device, one VMOC per object and device, then clear
--   the cache.
-- source: https://vaultcrmhelp.veeva.com/doc/Content/CRM_topics/Getting_Started/MobileDeviceSetup/Sync/VMOCs.htm
-- proof: No device receives accounts.
-- needs: vmoc
SELECT 'The VMOC ' || label || ' for ' || coalesce(object, 'no object') || ' has no device.' AS what,
    'VMOC ' || vmoc_id AS place, object, NULL::VARCHAR AS field
FROM current_vmoc
WHERE is_active AND for_device IS NULL
