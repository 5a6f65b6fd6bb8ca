-- title: Push alerts without all their VMOCs
-- severity: note
-- cause: sync-configuration
-- basis: Vault CRM
-- why: Push alerts need active VMOCs for alert__v, alert_profile__v and alert_user_action__v; without
--   one of them no notifications arrive.
-- fix: Business Admin > VMobile Object Configurations: activate the missing VMOC for the same device,
--   then clear the cache.
-- source: https://vaultcrmhelp.veeva.com/doc/Content/CRM_topics/Getting_Started/MobileDeviceSetup/iOS/PushNotifications/ReceivePushNotifs.htm
-- proof: An alert that is on the device is not announced there.
-- needs: vmoc
WITH present AS (
    SELECT for_device, list(DISTINCT object) AS objects FROM now_vmoc
    WHERE on_duty AND object IN ('alert__v', 'alert_profile__v', 'alert_user_action__v') GROUP BY for_device
), absent AS (
    SELECT for_device, list_filter(['alert__v', 'alert_profile__v', 'alert_user_action__v'],
        lambda x: NOT list_contains(objects, x)) AS objects FROM present
)
SELECT 'Alerts sync to ' || coalesce(for_device, 'no device') || ' without ' || array_to_string(objects, ', ') || '.' AS what,
    'VMOCs for ' || coalesce(for_device, 'no device') AS place, objects[1] AS object, NULL::VARCHAR AS field
FROM absent
WHERE len(objects) > 0
