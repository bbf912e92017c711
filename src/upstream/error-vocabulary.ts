// The words that errors of the clouds are made of, and of what stands in front of them: proxies, gateways, firewalls. What may
// be logged of an error is made of these, so nothing that says much of somebody belongs here: no names, no feelings, no
// illnesses. Names of the protocol come as their parts: `max_tokens` is `max` and `tokens`.
const WORDS = `
a abort aborted about above absent accept acceptable accepted accepts access account accounts action actions activate activated active adaptive
additional address admin administrator after again agent agreement ai aiplatform all allow allowed allows already also amazon ambiguous amz an and
anthropic any anyof api application applications apply approved are argument arguments arn as assigned assistant assume assumed at attached attempt
audience authentication authorization authorize authorized aws azure azureml bad balance base base64 based bash be bearer because bedrock been before
behavior behind being below beta betas between billing block blocked blocks body boolean both broken browser bucket budget build busy but by byte
bytes ca cache cached calculated call caller can cancel cancelled cannot cap capacity carry center certificate change character characters check
citations claude clear client closed cloud cloudflare code coerce cognitive com common compact complete completion computer config configuration
configured conflict conflicts connect connection connections console constraint contact contain container containers containing contains content
contents context control conversation conversations cookie coral correct corresponding corrupt could count create created creation credential
credentials credit credits cross current currently custom customer data day days deadline decode decrease defer demand denied deployed deployment
deployments deprecated depth description detail details detected developer diagnostics dictionary did different dimension dimensions directory
disabled disconnect display dns do docs document documentation documents does domain don down due duplicate duration during each eager earlier edge
edit editor edits effort either element else empty enable enabled encoded encountered end ended endpoint endpoints engine entity enum environment
envoy ephemeral error errors every exactly exceed exceeded exceeding exceeds exception exhausted exist existing exists expected expired expires
explicit external extra extraneous fable fail failed failing failure fallback fallbacks false fast fault feature federation fetch few field fields
file files filter filtered final fine firewall first flag float follow for forbidden format found foundation foundry from front fully function gateway
generated geo global go gone google googleapis grained greater group guardrail had haiku handshake has have header headers healthy height here high
hold host hostname hour hourly hours how html http https iam id identifier identity ids if illegal image images implemented in inactive included
including incomplete incorrect increase index inference information infrastructure input inputs inside instance instead instructions insufficient
integer interleaved internal interrupted into invalid invocation invoke is isn issue issuer it items its itself json key keys keyword know known lacks
language large last later latest layout learn least length less level license life limit limited limits line link list load loading local location
locations log login long longer look lost low made make malformed managed management mantle many mapping marketplace match matches max maximum may mb
mcp me media medium member memory message messages method microsoft mid min minimum minute minutes mismatch missing mode model models modified moment
month monthly more most moved much multiple must mythos name named names near need needed needs neither nested net network nginx no non none nor not
now null number oauth object objects occurred of off offer omitted on once one online only operation opus or order org organization organizations
original other our out outbound outdated output outputs outside over overflow overloaded own owner page pages parallel parameter parameters parse
parser part path paths pattern payload payment pdf peer per perform performing period permanently permission permissions permitted pixels plan plans
platform please policy port position positive post precondition predict prediction prefill present preview previous pricing principal priority problem
process processed processing prod produced profile prohibited project projects prompt properties property provide provided provider provisioned proxy
publisher publishers purchase purchased quota quotas range rate rather raw reached read ready realm reason reasoning received redacted redirect refer
reference reformat refresh refused regain region regional regions registered registration reject rejected release remain remaining remote removed
repeated request requested requests require required requires reserved reset resolve resource resources response responses responsible restrict
restricted result results retired retry returned review role roles root route rules safeguards safety same sampling satisfy schema scope search second
seconds secure security selected send sending sent sequence sequences serve server servers service services serving session set shall short should
signature signed since single size skills sku so some sonnet soon source specific specified speed spend ssl standard start state status still stop
store stored stream streaming strict string structure structured sts subject subscribe subscription subscriptions such summary supplied support
supported supports sure surrogate suspended switch system tag tags temperature temporarily tenant terminated termination text than that the their them
then there these they thinking this those throttled throttling through throughput tier tiers time timed timeout times title tls to today together
token tokens too took tool tools top total traffic transport triggering true try trying ttl turn twice type types unable unauthenticated unauthorized
unavailable under unexpected unhealthy unicode unified union unique unit unknown unless unlimited unparsable unprocessable unreachable unrecognized
unspecified unsupported until up update upgrade upon upstream url urls usage use used user users uses using utc utf valid validation value values
variant version versions vertex via view violated violates violation virtual visit vpc wait warning was we web week were what when where whether which
while who width will window with within without word words workspace workspaces would write wrong x-anthropic-billing-header x-api-key yet you your
zone
`

export const ERROR_VOCABULARY: ReadonlySet<string> = new Set(WORDS.trim().split(/\s+/))
