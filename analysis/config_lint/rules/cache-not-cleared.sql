-- title: Configuration changed after the cache was cleared
-- severity: note
-- cause: sync-configuration
-- basis: Vault CRM
-- why: After changes of configuration the Vault CRM cache must be cleared, or devices do not get them.
-- fix: Admin > Settings > Veeva Common > Clear Cache.
-- source: https://vaultcrmhelp.veeva.com/doc/Content/CRM_topics/Getting_Started/SettingUp/Managing_Cache.htm
-- proof: The device goes by the VMOC as it was before the change, and by the new one once the cache is
--   cleared.
-- needs: config_change
WITH cleared AS (
    -- only where the source tells of clearing at all; silence is no proof that nobody did it
    SELECT max(changed_at) AS last_at FROM config_change WHERE lower(kind || ' ' || target) LIKE '%cache%'
)
SELECT count(*) || if(count(*) = 1, ' change of ', ' changes of ') || string_agg(DISTINCT kind, ', ' ORDER BY kind) || ' since the cache was last cleared.' AS what,
    'since ' || strftime(last_at, '%Y-%m-%d %H:%M') || ' UTC' AS place, NULL::VARCHAR AS object, NULL::VARCHAR AS field
FROM config_change, cleared
WHERE changed_at > last_at AND kind IN ('permission_set', 'vmoc', 'object', 'field', 'setting', 'validation_rule')
GROUP BY last_at
