-- title: Two active VMOCs for the same object, device and profile
-- severity: error
-- cause: sync-configuration
-- basis: Vault CRM
-- why: Veeva asks for one active VMOC per object and device; which of two counts is not documented.
-- fix: Business Admin > VMobile Object Configurations: deactivate all but one, then clear the cache.
-- source: https://vaultcrmhelp.veeva.com/doc/Content/CRM_topics/Getting_Started/MobileDeviceSetup/Sync/VMOCs.htm
-- proof: One of the two counts, by name the first, here the narrower: accounts are missing on the
--   device.
-- needs: vmoc
WITH placed AS (
    SELECT object, application_profile, security_profile, unnest(devices) AS device, vmoc_id, label
    FROM now_vmoc WHERE on_duty AND object IS NOT NULL AND for_device IS NOT NULL
), crowded AS (
    SELECT object, application_profile AS profile, device, count(*) AS many,
        string_agg(label, ', ' ORDER BY label) AS labels, string_agg(vmoc_id, ', ' ORDER BY vmoc_id) AS ids
    FROM placed GROUP BY object, application_profile, security_profile, device HAVING count(*) > 1
)
SELECT many || ' active VMOCs for ' || object || ' on ' || string_agg(device, ', ' ORDER BY device)
        || coalesce(' and profile ' || profile, '') || ': ' || labels || '.' AS what,
    'VMOC ' || ids AS place, object, NULL::VARCHAR AS field
FROM crowded
GROUP BY object, profile, many, labels, ids
