-- title: Configuration changes without a cache clear
-- severity: note
-- cause: sync-configuration
-- basis: Vault CRM
-- why: After configuration changes the Vault CRM cache must be cleared, or devices do not receive them.
-- fix: Admin > Settings > Veeva Common > Clear Cache.
-- source: https://vaultcrmhelp.veeva.com/doc/Content/CRM_topics/Getting_Started/SettingUp/Managing_Cache.htm
-- proof: The device uses the old VMOC until the cache is cleared, and then the new one.
-- needs: config_change
WITH cleared AS (
    -- only if the source records cache clears at all; a missing record does not prove that there was none
    SELECT max(changed_at) AS last_at FROM config_change WHERE lower(kind || ' ' || target) LIKE '%cache%'
)
SELECT count(*) || if(count(*) = 1, ' change of ', ' changes of ') || string_agg(DISTINCT kind, ', ' ORDER BY kind) || ' since the cache was last cleared.' AS what,
    'since ' || strftime(last_at, '%Y-%m-%d %H:%M') || ' UTC' AS place, NULL::VARCHAR AS object, NULL::VARCHAR AS field
FROM config_change, cleared
WHERE changed_at > last_at AND kind IN ('permission_set', 'vmoc', 'object', 'field', 'setting', 'validation_rule')
GROUP BY last_at
