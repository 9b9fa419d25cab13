"""The timetable: which slot of which job is due, as pure functions of conf and a clock, and what became of each slot.

May import the store, `project` and the Lab. Never reports or services: what runs a slot is passed in by `services`.
"""
