-- title: Duplicate active VMOCs
-- severity: error
-- cause: sync-configuration
-- basis: Vault CRM
-- why: Veeva requires one active VMOC per object and device; which of two applies is not documented.
-- fix: Business Admin > VMobile Object Configurations: deactivate all but one, then clear the cache.
-- source: https://vaultcrmhelp.veeva.com/doc/Content/CRM_topics/Getting_Started/MobileDeviceSetup/Sync/VMOCs.htm
-- proof: One of the two applies: the first by name, here the narrower one. Accounts are missing on the device.
-- needs: vmoc
WITH vmoc_device AS (
    SELECT object, application_profile, security_profile, unnest(devices) AS device, vmoc_id, label
    FROM current_vmoc WHERE is_active AND object IS NOT NULL AND for_device IS NOT NULL
), duplicate AS (
    SELECT object, application_profile AS profile, device, count(*) AS vmocs,
        string_agg(label, ', ' ORDER BY label) AS labels, string_agg(vmoc_id, ', ' ORDER BY vmoc_id) AS ids
    FROM vmoc_device GROUP BY object, application_profile, security_profile, device HAVING count(*) > 1
)
SELECT vmocs || ' active VMOCs for ' || object || ' on ' || string_agg(device, ', ' ORDER BY device)
        || coalesce(' and profile ' || profile, '') || ': ' || labels || '.' AS what,
    'VMOC ' || ids AS place, object, NULL::VARCHAR AS field
FROM duplicate
GROUP BY object, profile, vmocs, labels, ids
