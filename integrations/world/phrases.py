"""What people say: templates by topic, with slots that the simulation fills with facts.

Slots: ``{who}`` the contact's first name, ``{rep}`` ours, ``{company}``, ``{product}``, ``{rival}``, ``{amount}``,
``{day}`` a promised day, ``{boss}`` another contact, ``{n}`` a number, ``{city}``.
"""

from __future__ import annotations

NAMES_FIRST = (
    "Dana Priya Mateo Ingrid Kofi Lena Tomas Aiko Nadia Owen Farah Jonas Mei Rafael Sofia Viktor Amara Declan Yusuf Hanna "
    "Marco Zoë Elif Pavel Chloé Samir Greta Luis Noor Emil Tara Bjørn Ruth Kenji Alma Dmitri Leila Hugo Vera Oscar "
    "Paula Ravi Selma Theo Ines Arjun Clara Felix Gabriela Henrik Isla Jamal Katya Liam Miriam Nils Odile Petra Quentin Rosa "
    "Stefan Talia Uma Vincent Wanda Xavier Yara Zoltan Bob Robert Liz Elizabeth Mike Kate Andy Sue"
).split()
NAMES_LAST = (
    "Abara Beckett Castellano Dubois Eriksen Fontaine Garrow Haddad Ilves Jankowski Kessler Lindqvist Moreau Nakagawa Okafor "
    "Petrov Quiroga Rosenthal Sandoval Takeda Ulrich Vance Whitlock Xiong Yilmaz Zimmer Adeyemi Brandt Cavalli Dietrich Engel "
    "Ferreira Grant Hollis Ibrahim Juhl Kapoor Larsen Mbeki Novak Ortega Pacheco Quinn Rahman Schäfer Tanaka Underwood Vogel "
    "Weber Yamada Zapata Almeida Boyle Crane Doyle Esposito Fischer Gómez Hart Ito"
).split()
COMPANY_FIRST = (
    "Acme Alder Arbor Aster Beacon Birch Blue Bright Cascade Cedar Cobalt Copper Coral Crest Delta Drift Eagle Ember Falcon Fern "
    "Fjord Flint Forge Garnet Glacier Globex Granite Harbor Hazel Helio Horizon Initech Iron Ivy Juniper Kestrel Keystone Lark "
    "Lattice Lumen Maple Meridian Mosaic Nimbus Nordic North Oak Onyx Opal Orchard Osprey Pallas Pearl Pine Pioneer Quartz "
    "Raven Redwood Ridge River Rowan Sable Sage Sierra Silver Slate Solace Spruce Sterling Summit Sunrise Tamarack Tidal Timber "
    "Topaz Umber Union Vector Verde Vista Walnut Westbrook Willow Zephyr"
).split()
COMPANY_SECOND = (
    "Foods Freight Health Energy Motors Media Labs Systems Textiles Clinics Schools Bank Insurance Retail Packaging Tools Optics "
    "Robotics Pharma Logistics Hotels Studios Aviation Farms Paper Chemicals Marine Steel Ceramics Networks"
).split()
COMPANY_SUFFIX = ("Inc", "Ltd", "GmbH", "Group", "Corporation", "SA", "AB", "", "", "", "")
TITLES = (
    "Head of Operations",
    "CFO",
    "IT Director",
    "Procurement Manager",
    "VP Engineering",
    "CEO",
    "Data Lead",
    "Plant Manager",
    "Chief Information Officer",
    "Security Officer",
    "Finance Director",
    "Project Manager",
    "Head of Purchasing",
    "COO",
)
ROLES = ("champion", "decision maker", "economic buyer", "technical evaluator", "blocker", "end user")

OPENINGS = {
    "call": (
        "Spoke with {who} for a good while.",
        "Quick call with {who} between two meetings.",
        "{who} called back from yesterday.",
        "Reached {who} on the second try.",
        "Checked in with {who}.",
        "{who} picked up right away and was friendly.",
        "Call with {who} and {boss}.",
        "Short call; {who} was in the car.",
    ),
    "meeting": (
        "Met {who} at their office in {city}.",
        "Video meeting with {who} and {boss}.",
        "Walked {who} through the numbers on site.",
        "Workshop with {who} and the team, {n} people in the room.",
        "Lunch with {who}.",
        "Quarterly review with {who}.",
        "Steering meeting; {boss} joined for the last ten minutes.",
    ),
    "note": (
        "For the file:",
        "Note to self.",
        "Update after talking to {who}.",
        "From the corridor conversation with {who}:",
        "Summary of the week with {company}:",
        "Heads-up for whoever covers for me:",
    ),
    "email": (
        "Hi {rep},",
        "Hello {rep},",
        "Dear {rep},",
        "{rep}, thanks for the quick reply.",
        "Hi {rep}, sorry for the delay.",
        "Good morning {rep},",
    ),
}
#: topic -> sentences as the rep writes them, then as the customer writes them in a mail.
TOPICS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "pricing": (
        (
            "{who} said the pricing is about {n} percent above what they planned.",
            "{who} asked for a discount if they sign for two years.",
            "Pricing came up again: {who} wants a per-seat price instead of a flat fee.",
            "{who} finds {product} too expensive at this volume.",
            "{who} needs the price broken down by module before it goes to finance.",
            "They like the offer, but {who} pushed hard on price.",
            "{who} would accept {amount} but not a cent more.",
            "Sent the revised quote over {amount}; {who} will look at it tonight.",
        ),
        (
            "we compared your price with our plan and it is {n} percent over.",
            "could you do something on the price if we commit for two years?",
            "finance asks why {product} costs more than last year.",
            "the quote over {amount} is fine in principle, the payment terms are not.",
            "please send the price list for {product} with volume steps.",
        ),
    ),
    "budget": (
        (
            "{who} confirmed a budget of {amount} for this year.",
            "Budget is {amount}, approved by {boss}.",
            "{who} says there is no budget before the next fiscal year.",
            "Budget was cut to {amount}; {who} is fighting for more.",
            "{boss} holds the budget and has to sign anything above {amount}.",
            "They have {amount} set aside, {who} let slip.",
        ),
        (
            "our budget for this is {amount}.",
            "I got {amount} approved yesterday.",
            "the budget round is over and we are frozen until next year.",
            "anything above {amount} has to go through {boss}.",
        ),
    ),
    "competitor": (
        (
            "{who} is also talking to {rival}.",
            "{rival} offered them a pilot for free.",
            "They looked at {rival} and found the interface dated.",
            "{who} mentioned that {rival} is {n} percent cheaper.",
            "{rival} has a reference in their industry, we should find one too.",
            "{rival} is out: their support was too slow.",
            "{boss} used {rival} at an earlier job and liked it.",
        ),
        (
            "to be open with you, we have {rival} in the race as well.",
            "{rival} has just come in with a lower number.",
            "we dropped {rival} from the shortlist.",
            "how do you compare with {rival} on reporting?",
        ),
    ),
    "security": (
        (
            "{who} wants the security review finished by {day}.",
            "Their security officer needs our penetration test report.",
            "{who} sent the security questionnaire, {n} questions.",
            "Single sign-on is a must for {who}, everything else can wait.",
            "Security review passed, {who} was relieved.",
            "Data has to stay in the region, {who} said twice.",
        ),
        (
            "our security team needs your penetration test report by {day}.",
            "please fill in the attached questionnaire before {day}.",
            "where exactly is our data stored?",
            "the security review went well, no findings.",
        ),
    ),
    "timeline": (
        (
            "{who} promised a decision by {day}.",
            "They want to go live before the end of the quarter.",
            "{who} asked to move everything by a month.",
            "Kick-off would be on {day} if {boss} signs.",
            "No decision before {day}, {boss} is on leave.",
            "{who} is in no hurry, next look on {day}.",
        ),
        (
            "we will decide by {day}.",
            "I am afraid this moves to next month.",
            "could we start on {day}?",
            "{boss} is away until {day}, so please be patient.",
        ),
    ),
    "champion_leaving": (
        (
            "{who} is leaving {company} at the end of the month; {boss} takes over.",
            "Our champion {who} has resigned. We need a new one quickly.",
            "{who} moves to another department and will no longer run the project.",
            "{who} goes on parental leave on {day}; {boss} covers.",
        ),
        (
            "I wanted you to hear it from me: I am leaving {company}. {boss} will take over.",
            "from {day} on please talk to {boss}, I am changing jobs.",
        ),
    ),
    "decision": (
        (
            "{boss} has the last word, {who} only recommends.",
            "Three people decide: {who}, {boss} and someone from finance.",
            "{who} will present our offer to the board on {day}.",
            "Legal has to look at the contract; {who} reckons two weeks.",
            "Procurement is in charge now, {who} steps back.",
        ),
        (
            "{boss} will make the decision after the board meeting on {day}.",
            "legal has {n} comments on the contract, see attached.",
            "from our side only the signature of {boss} is missing.",
        ),
    ),
    "integration": (
        (
            "{who} needs an integration with their ERP before anything else.",
            "They tried our API and {who} was happy with the documentation.",
            "{who} asked whether {product} reads their old exports.",
            "The connector to their warehouse is still missing, {who} was clear about that.",
        ),
        ("does {product} connect to our ERP?", "our developers have {n} questions about the API.", "the import of our old data failed twice."),
    ),
    "satisfaction": (
        (
            "{who} is very happy with the onboarding.",
            "{who} would recommend us, we may use them as a reference.",
            "Usage is up, {n} people log in every day.",
            "{who} praised our support team.",
            "They want to extend {product} to a second site.",
        ),
        (
            "the team loves {product}.",
            "thank you for the fast help last week.",
            "we would like to talk about more seats.",
            "happy to be a reference for you.",
        ),
    ),
    "trouble": (
        (
            "{who} is annoyed: the last two tickets took too long.",
            "{who} threatened to leave if the outage happens again.",
            "Usage is down at {company}, {who} does not know why.",
            "{who} complained about the invoice of last month.",
            "The rollout is behind schedule and {who} blames us.",
        ),
        (
            "this is the third time that the export is broken.",
            "honestly, we are disappointed with the last weeks.",
            "the invoice is wrong again, please correct it by {day}.",
            "if this is not solved by {day} we will have to look elsewhere.",
        ),
    ),
    "need": (
        (
            "Their main pain is the monthly reporting, it takes {who} {n} days.",
            "{who} wants one view of all sites.",
            "They lose track of orders between two systems, that is why {who} looks at {product}.",
            "{who} has to cut cost by {n} percent this year.",
            "An audit in spring forces them to act, says {who}.",
        ),
        (
            "our monthly reporting takes {n} days and nobody trusts it.",
            "we need one view of all our sites.",
            "an audit in spring forces us to act on this.",
        ),
    ),
    "upsell": (
        (
            "{who} asked what {product} would cost on top.",
            "They hired {n} people and need more seats soon.",
            "{who} saw {product} at the fair and is curious.",
            "A sister company of {company} may want the same, {who} offered an introduction.",
        ),
        (
            "could you show us {product} next time?",
            "we are {n} people more than last year, what about the licences?",
            "our colleagues in {city} are interested too.",
        ),
    ),
    "contract": (
        (
            "{who} wants a shorter notice period.",
            "Contract redlines came back, mostly liability.",
            "{who} agreed to a three-year term.",
            "They ask for payment in four instalments.",
            "Renewal terms discussed, {who} wants to keep the old price.",
        ),
        (
            "please find our redlines attached, mostly liability.",
            "we can sign for three years if the price is fixed.",
            "can we pay in four instalments?",
        ),
    ),
    "silence": (
        (
            "No answer from {who}, third attempt.",
            "{who} does not react to mails any more.",
            "Left a voicemail for {who}.",
            "{who}'s assistant says to try again on {day}.",
        ),
        (),
    ),
}
#: How a rep repeats a point in a mail to the customer.
MAIL_FRAMES = (
    "To sum up our talk: {point}",
    "As I understood it, {point}",
    "I noted the following for both of us: {point}",
    "For my colleagues in copy: {point}",
    "Point taken from our call: {point}",
    "Just to confirm: {point}",
)
NEXT_STEPS = (
    "Next: send {who} the revised quote by {day}.",
    "Next step is a demo of {product} on {day}.",
    "I promised to call {who} again on {day}.",
    "To do: get the reference contact to {who} by {day}.",
    "Follow up with {boss} on {day}.",
    "Waiting for {who}, remind me on {day}.",
    "",
    "",
    "",
)
CLOSINGS = ("Best regards, {who}", "Thanks, {who}", "Kind regards, {who}", "Best, {who}", "Cheers, {who}")
SUBJECTS = {
    "pricing": ("Pricing", "Quote", "Discount"),
    "budget": ("Budget",),
    "competitor": ("Alternatives", "Comparison"),
    "security": ("Security review", "Questionnaire"),
    "timeline": ("Timeline", "Next steps"),
    "champion_leaving": ("Change of contact",),
    "decision": ("Decision process", "Contract sign-off"),
    "integration": ("Integration", "API"),
    "satisfaction": ("Check-in", "Feedback"),
    "trouble": ("Complaint", "Open problems"),
    "need": ("Requirements", "First conversation"),
    "upsell": ("More seats", "New module"),
    "contract": ("Contract", "Terms"),
    "silence": ("No answer", "Voicemail"),
}
TASKS = (
    "Send the revised quote to {who}",
    "Call {who} about the contract",
    "Prepare the demo of {product}",
    "Get a reference for {company}",
    "Answer the security questionnaire for {company}",
    "Book a meeting with {boss}",
    "Check usage at {company}",
    "Send {who} the price list",
    "Clarify delivery for {company}",
    "Ask {who} for the decision",
    "Write the proposal for {company}",
    "Introduce {boss} to support",
)
DEAL_NEXT_STEPS = (
    "Call {who}",
    "Send revised quote",
    "Security review",
    "Demo with {boss}",
    "Get contract to legal",
    "Wait for board meeting",
    "Reference call",
    "Meet {boss} on site",
    "Prepare business case",
)
TICKET_SUBJECTS = (
    "Export to spreadsheet fails",
    "Login loops after password reset",
    "Invoice shows wrong quantity",
    "Dashboard is slow in the morning",
    "How do I add a second site?",
    "Import stops at row {n}",
    "Single sign-on rejects new users",
    "Report totals do not match",
    "Mobile view cuts off the table",
    "Webhook arrives twice",
    "Need a copy of the contract",
    "Cannot delete an old user",
    "Alert mails come hours late",
    "API answers with error 500",
    "Rounding difference on the invoice",
    "Sync with the ERP stopped",
    "Question about data retention",
    "Permission denied for the new manager",
    "Chart shows yesterday's data",
    "Scheduled job did not run",
    "PDF has no page numbers",
    "Request for a training session",
    "Wrong tax rate applied",
    "Search finds nothing for short words",
)
TICKET_BODIES = (
    "{who} reports that this started on {day} and affects {n} people. They tried it in two browsers.",
    "Since the last update {who} sees this every day. It blocks their month-end closing.",
    "{who} asks for help by {day}; otherwise {boss} will escalate.",
    "It worked until last week, says {who}. A screenshot is attached. Priority for them because an audit is coming.",
    "{who} could work around it for now but wants a fix. {n} records are affected.",
    "{who} is angry: second time this month. Please call back instead of writing.",
    "Not urgent, {who} just wants to understand how {product} does this.",
    "The team in {city} cannot work. {who} expects an answer within the hour.",
)
