-- title: Include Related Objects adds objects without the filter
-- severity: note
-- cause: sync-configuration
-- basis: Vault CRM
-- why: With Include Related Objects, related lists of the user's layout sync as further top-level
--   objects when they have no VMOC of their own, and the WHERE clause does not apply to them.
-- fix: Give each related object a VMOC of its own, or clear Include Related Objects; then clear the
--   cache.
-- source: https://vaultcrmhelp.veeva.com/doc/Content/CRM_topics/Getting_Started/MobileDeviceSetup/Sync/VMOCs.htm
-- proof: Addresses come to the device of accounts that the filter of accounts leaves out.
-- needs: vmoc
SELECT 'The VMOC ' || label || ' for ' || object || ' includes related objects; its WHERE clause does not filter them.' AS what,
    'VMOC ' || vmoc_id AS place, object, NULL::VARCHAR AS field
FROM now_vmoc
WHERE on_duty AND filter IS NOT NULL
    AND regexp_matches(lower(coalesce(extra, '')), '"include_?related\w*"\s*:\s*"?(true|1|yes)\b')
