"""What leaves popback as files: payroll, commissioned care and actuals, calendars. Not who may have them (api)."""
