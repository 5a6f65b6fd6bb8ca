-- title: Incomplete VMOCs for push alerts
-- severity: note
-- cause: sync-configuration
-- basis: Vault CRM
-- why: Push alerts need active VMOCs for alert__v, alert_profile__v and alert_user_action__v; if one of them is
--   missing, no notifications arrive.
-- fix: Business Admin > VMobile Object Configurations: activate the missing VMOC for the same device, then clear
--   the cache.
-- source: https://vaultcrmhelp.veeva.com/doc/Content/CRM_topics/Getting_Started/MobileDeviceSetup/iOS/PushNotifications/ReceivePushNotifs.htm
-- proof: The device does not announce an alert that it holds.
-- needs: vmoc
WITH present AS (
    SELECT for_device, list(DISTINCT object) AS objects FROM current_vmoc
    WHERE is_active AND object IN ('alert__v', 'alert_profile__v', 'alert_user_action__v') GROUP BY for_device
), absent AS (
    SELECT for_device, list_filter(['alert__v', 'alert_profile__v', 'alert_user_action__v'],
        lambda x: NOT list_contains(objects, x)) AS objects FROM present
)
SELECT 'Alerts sync to ' || coalesce(for_device, 'no device') || ' without the VMOCs for ' || array_to_string(objects, ', ') || '.' AS what,
    'VMOCs for ' || coalesce(for_device, 'no device') AS place, objects[1] AS object, NULL::VARCHAR AS field
FROM absent
WHERE len(objects) > 0
