-- title: Errors with a known cause
-- unit: share of error events, 0 to 1
-- good: higher is better
-- Share of error events whose cause is not "unknown", per phase, with the 95 % Wilson interval and the mean
-- confidence of the known causes. A wrong cause is worse than "unknown", so read this metric together with the
-- report card. Errors that are not classified yet count as unknown.
WITH counted AS (
    SELECT
        coalesce(phase, 'unknown') AS phase,
        count(*) AS n,
        count(*) FILTER (WHERE cause <> 'unknown') AS known,
        avg(CASE WHEN cause <> 'unknown' THEN confidence END) AS mean_confidence
    FROM error
    GROUP BY coalesce(phase, 'unknown')
)
SELECT
    phase, n AS events, known, known * 1e0 / n AS share,
    wilson_low(known, n) AS low,
    wilson_high(known, n) AS high,
    mean_confidence
FROM counted
ORDER BY n DESC, phase
