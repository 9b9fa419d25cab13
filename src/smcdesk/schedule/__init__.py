"""The timetable: which slot of which job is due, as pure functions of conf and a clock, and what became of each slot.

May import `project` and the Lab. Never runs anything itself: `services` does.
"""
