-- title: Two active VMOCs for the same object, device and profile
-- severity: error
-- cause: sync-configuration
-- basis: Vault CRM
-- why: Veeva asks for one active VMOC per object and device; which of two counts is not documented.
-- fix: Business Admin > VMobile Object Configurations: deactivate all but one, then clear the cache.
-- source: https://vaultcrmhelp.veeva.com/doc/Content/CRM_topics/Getting_Started/MobileDeviceSetup/Sync/VMOCs.htm
-- needs: vmoc
SELECT count(*) || ' active VMOCs for ' || object || ' on ' || coalesce(for_device, 'no device')
        || coalesce(' and profile ' || application_profile, '') || ': ' || string_agg(label, ', ' ORDER BY label) || '.' AS what,
    'VMOC ' || string_agg(vmoc_id, ', ' ORDER BY vmoc_id) AS place, object, NULL::VARCHAR AS field
FROM now_vmoc
WHERE on_duty AND object IS NOT NULL
GROUP BY object, for_device, application_profile
HAVING count(*) > 1
