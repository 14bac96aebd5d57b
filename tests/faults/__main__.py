"""Prints the table of faults: what is wrong, what is done, the error, and what it names."""

from tests.faults import FAULTS

for number, fault in enumerate(FAULTS, start=1):
    what = f"{fault.use.__name__.replace('_', ' '):<17} {fault.error.__name__:<28}"
    print(f"{number:>3}  {fault.name:<52} {what} {' | '.join(fault.words)}")
