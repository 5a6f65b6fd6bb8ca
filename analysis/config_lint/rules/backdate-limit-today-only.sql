-- title: Calls limited to today
-- severity: warning
-- cause: date-limit
-- basis: Vault CRM
-- why: call_backdate_limit__v is 0. Veeva lists this limit among the causes of sync errors: a call dated yesterday
--   is rejected, even if the rep was offline.
-- fix: Agree with the business owner on a number of days, set call_backdate_limit__v, then clear the cache.
-- source: https://vaultcrmhelp.veeva.com/doc/Content/CRM_topics/Call_Reporting_2/Submitting/CallBackdating.htm
-- proof: A call dated three days ago is rejected; without the limit, Vault accepts it.
-- needs: veeva_setting
SELECT 'call_backdate_limit__v is 0.' AS what, 'setting call_backdate_limit__v' || coalesce(' for ' || only_for, '') AS place,
    'veeva_settings__v' AS object, name AS field
FROM current_setting
WHERE name = 'call_backdate_limit__v' AND number = 0
