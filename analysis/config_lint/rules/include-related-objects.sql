-- title: Unfiltered related objects
-- severity: note
-- cause: sync-configuration
-- basis: Vault CRM
-- why: With Include Related Objects, related lists of the user's layout sync as additional top-level objects if
--   they have no VMOC, and the WHERE clause does not filter them.
-- fix: Create a VMOC for each related object, or clear Include Related Objects; then clear the cache.
-- source: https://vaultcrmhelp.veeva.com/doc/Content/CRM_topics/Getting_Started/MobileDeviceSetup/Sync/VMOCs.htm
-- proof: The device receives addresses of accounts that the account filter excludes.
-- needs: vmoc
SELECT 'The VMOC ' || label || ' for ' || object || ' includes related objects; its WHERE clause does not filter them.' AS what,
    'VMOC ' || vmoc_id AS place, object, NULL::VARCHAR AS field
FROM current_vmoc
WHERE is_active AND filter IS NOT NULL
    AND regexp_matches(lower(coalesce(extra, '')), '"include_?related\w*"\s*:\s*"?(true|1|yes)\b')
