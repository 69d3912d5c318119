"""Patients with chronic conditions that nobody sees, their visits, and what is written down there.

`reading` makes a `World` of the description of a site (see resources/histories); `lives` draws when
conditions begin and when people die, `visits` when they see somebody, `records` what is written
down, and `dataset` puts it into the layout of the Medical Event Data Standard. `risk` knows the
true probability of an outcome from the conditions at the index time.

Time runs in quarters from a patient's enrolment, each of `QUARTER` days. The hazards of a quarter
depend on what there was at its beginning.
"""
