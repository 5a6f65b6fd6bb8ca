-- title: The parent of a synced object is not on the device
-- severity: warning
-- cause: sync-configuration
-- basis: inference
-- why: A device that holds children needs the parents that they refer to; the parent has active VMOCs,
--   but none for this device.
-- fix: Business Admin > VMobile Object Configurations: add a VMOC of the parent for this device, then
--   clear the cache.
-- source: https://vaultcrmhelp.veeva.com/doc/Content/CRM_topics/Getting_Started/MobileDeviceSetup/Sync/VMOCs.htm
-- proof: Calls are on the device, and the accounts that they name are not.
-- needs: vmoc object_field
WITH needing AS (
    SELECT vmoc_id, object, unnest(devices) AS device FROM now_vmoc WHERE on_duty AND for_device IS NOT NULL
), served AS (
    SELECT DISTINCT object, unnest(devices) AS device FROM now_vmoc WHERE on_duty AND for_device IS NOT NULL
)
SELECT child.object || ' syncs to ' || string_agg(DISTINCT child.device, ', ' ORDER BY child.device) || ', but '
        || f.refers_to || ', which it needs (' || f.name || '), does not.' AS what,
    'VMOC ' || child.vmoc_id AS place, child.object, f.name AS field
FROM needing AS child
JOIN now_field AS f ON f.object = child.object AND f.required AND coalesce(f.active, true)
WHERE f.refers_to IN (SELECT object FROM served)
    AND NOT EXISTS (SELECT 1 FROM served AS p WHERE p.object = f.refers_to AND p.device = child.device)
GROUP BY child.vmoc_id, child.object, f.refers_to, f.name
