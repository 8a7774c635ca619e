"""What a run says of itself: functions of a trace, or of a view of one. numpy only."""
