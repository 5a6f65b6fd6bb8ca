-- title: Metadata API access for end users
-- severity: error
-- cause: access-policy
-- basis: Vault CRM
-- why: Veeva advises against Metadata API access for end users in a permission set, because it causes sync errors
--   on iPad and iPhone.
-- fix: Admin > Users & Groups > Permission Sets > the set > Application tab, group API: clear Metadata API.
-- source: https://vaultcrmhelp.veeva.com/doc/Content/CRM_topics/Getting_Started/MobileDeviceSetup/Sync/SyncOverview.htm
-- proof: Each sync on an iPad fails at its start.
-- needs: permission_grant
SELECT 'Metadata API access is granted by ' || permission_set || '.' AS what, any_value(kind) || ' ' || permission_set
        || coalesce(' (' || sum(users) || if(sum(users) = 1, ' mobile user)', ' mobile users)'), '') AS place,
    NULL::VARCHAR AS object, NULL::VARCHAR AS field
FROM combination JOIN current_grant USING (permission_set)
WHERE object = 'application' AND lower(field) LIKE '%metadata%' AND lower(field) LIKE '%api%'
GROUP BY permission_set
HAVING bool_or(coalesce(can_read, false) OR coalesce(can_edit, false) OR coalesce(can_create, false))
