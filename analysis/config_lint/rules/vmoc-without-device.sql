-- title: Active VMOC without a device
-- severity: warning
-- cause: sync-configuration
-- basis: Vault CRM
-- why: An object syncs to a device through an active VMOC for that device (device__v); one without a
--   device serves none.
-- fix: Business Admin > VMobile Object Configurations: set the device, one VMOC per object and device,
--   then clear the cache.
-- source: https://vaultcrmhelp.veeva.com/doc/Content/CRM_topics/Getting_Started/MobileDeviceSetup/Sync/VMOCs.htm
-- proof: No account comes to any device.
-- needs: vmoc
SELECT 'The VMOC ' || label || ' for ' || coalesce(object, 'no object') || ' has no device.' AS what,
    'VMOC ' || vmoc_id AS place, object, NULL::VARCHAR AS field
FROM now_vmoc
WHERE on_duty AND for_device IS NULL
