-- title: Child records without their parents
-- severity: warning
-- cause: sync-configuration
-- basis: inference
-- why: The filter of the parent excludes records that synced child records need, so the children are incomplete on
--   the device.
-- fix: Business Admin > VMobile Object Configurations: make the child Related to Top Level, or filter it like its
--   parent; then clear the cache.
-- source: https://crmhelp.veeva.com/doc/Content/CRM_topics/Getting_Started/MobileDeviceSetup/Sync/VMOCs.htm
-- proof: The device holds calls, but not all of their accounts.
-- needs: vmoc object_field
SELECT child.object || ' needs ' || parent.object || ' (' || f.name || '), whose VMOC ' || parent.label
        || ' filters by ' || left(parent.filter, 120) || '; the VMOC ' || child.label || ' does not.' AS what,
    'VMOC ' || parent.vmoc_id || ', ' || child.vmoc_id AS place, child.object, f.name AS field
FROM current_vmoc AS child
JOIN current_field AS f ON f.object = child.object AND f.required AND coalesce(f.active, true)
JOIN current_vmoc AS parent ON parent.object = f.refers_to AND parent.object <> child.object
    AND list_has_any(parent.devices, child.devices)
    AND parent.application_profile IS NOT DISTINCT FROM child.application_profile
WHERE child.is_active AND parent.is_active AND parent.filter IS NOT NULL AND child.filter IS NULL
    AND coalesce(lower(child.type), '') NOT LIKE '%related%' AND coalesce(lower(child.type), '') NOT LIKE '%child%'
