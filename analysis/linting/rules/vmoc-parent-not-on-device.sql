-- title: The parent of a synced object is not on the device
-- severity: warning
-- cause: sync-configuration
-- basis: inference
-- why: A device that holds children needs the parents that they refer to; the parent has active VMOCs,
--   but none for this device.
-- fix: Business Admin > VMobile Object Configurations: add a VMOC of the parent for this device, then
--   clear the cache.
-- source: https://vaultcrmhelp.veeva.com/doc/Content/CRM_topics/Getting_Started/MobileDeviceSetup/Sync/VMOCs.htm
-- needs: vmoc object_field
SELECT child.object || ' syncs to ' || child.for_device || ', but ' || f.refers_to || ', which it needs (' || f.name
        || '), does not.' AS what,
    'VMOC ' || child.vmoc_id AS place, child.object, f.name AS field
FROM now_vmoc AS child
JOIN now_field AS f ON f.object = child.object AND f.required AND coalesce(f.active, true)
WHERE child.on_duty AND child.for_device IS NOT NULL
    AND f.refers_to IN (SELECT object FROM now_vmoc WHERE on_duty AND for_device IS NOT NULL)
    AND NOT EXISTS (
        SELECT 1 FROM now_vmoc AS p
        WHERE p.on_duty AND p.object = f.refers_to AND list_has_any(p.devices, child.devices))
