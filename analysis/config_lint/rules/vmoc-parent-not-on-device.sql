-- title: Missing parent object on the device
-- severity: warning
-- cause: sync-configuration
-- basis: inference
-- why: Child records on a device need the parents to which they refer. The parent has active VMOCs, but none for
--   this device.
-- fix: Business Admin > VMobile Object Configurations: add a VMOC of the parent for this device, then clear the
--   cache.
-- source: https://vaultcrmhelp.veeva.com/doc/Content/CRM_topics/Getting_Started/MobileDeviceSetup/Sync/VMOCs.htm
-- proof: The device holds calls, but not their accounts.
-- needs: vmoc object_field
WITH child_object AS (
    SELECT vmoc_id, object, unnest(devices) AS device FROM current_vmoc WHERE is_active AND for_device IS NOT NULL
), synced AS (
    SELECT DISTINCT object, unnest(devices) AS device FROM current_vmoc WHERE is_active AND for_device IS NOT NULL
)
SELECT child.object || ' syncs to ' || string_agg(DISTINCT child.device, ', ' ORDER BY child.device) || ', but '
        || f.refers_to || ', which it needs (' || f.name || '), does not.' AS what,
    'VMOC ' || child.vmoc_id AS place, child.object, f.name AS field
FROM child_object AS child
JOIN current_field AS f ON f.object = child.object AND f.required AND coalesce(f.active, true)
WHERE f.refers_to IN (SELECT object FROM synced)
    AND NOT EXISTS (SELECT 1 FROM synced AS p WHERE p.object = f.refers_to AND p.device = child.device)
GROUP BY child.vmoc_id, child.object, f.refers_to, f.name
