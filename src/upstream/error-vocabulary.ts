// The words that errors of the clouds are made of, and of what stands in front of them: proxies, gateways, firewalls.
// Nobody's secret is among them. Names of the protocol come as their parts: `max_tokens` is `max` and `tokens`.

const GRAMMAR = `a about above accepts after again all already also an and any are as at be because been before behind being below between both but by can
cannot contact could did different do does don due during each either else every exactly few first for from had has have here how if in inside instead into is
isn it its itself last later latest least less longer made may make me more most much must near need needs neither no non none nor not now of off on once one only or
other our out outside over own per please rather same shall should since so some still such than that the their them then there these they this those through
to together too try trying twice under unless until up upon use used uses using was we were what when where whether which while who will with within without
would yet you your ca lacks soon sure earlier based`

const TROUBLE = `abort aborted absent accepted agreement already ambiguous attempt bad broken busy cancel cancelled cap closed conflict conflicts connect
connection corrupt created deadline decrease denied deprecated detected disabled disconnect does down duplicate empty encountered end ended error errors
exceed exceeded exceeding exceeds exception exhausted exist existing exists expired expires extra extraneous fail failed failing failure fault filter filtered
forbidden found gone illegal inactive incomplete incorrect increase insufficient internal interrupted invalid issue lost malformed mismatch missing modified not
occurred operation outdated overflow overloaded permitted precondition problem prohibited reached ready reason refused reject rejected remain removed
repeated reset restricted retired retry returned rules suspended temporarily terminated termination throttled throttling timed timeout triggering
unable unauthenticated unauthorized unavailable unexpected unhealthy unknown unparsable unprocessable unreachable unrecognized unspecified unsupported
upgrade valid violated violates violation wait warning wrong`

const PROTOCOL = `adaptive additional allowed argument arguments behavior anthropic anyof api assistant at base64 bash beta betas billing block blocks body boolean budget build byte bytes
cache cached character characters citations clear client code coerce completion compact computer config configuration constraint container containers content contents context
control conversation conversations corresponding count creation custom data decode defer depth description diagnostics dictionary dimension dimensions display
document documents duration eager edit editor edits effort element enabled encoded entity enum ephemeral expected external fallback fallbacks false fast fetch field
fields file files final fine flag float format function generated geo grained greater guardrail header headers height high identifier image images index inference
input inputs instructions integer interleaved invocation items json key keys keyword language layout length level limit line list load long loading low mapping match
matches max maximum mcp media medium member memory message messages mid min minimum mode model models multiple name named names nested null number
object objects omitted online order original output outputs page pages parallel parameter parameters parse parser part pattern payload pdf pixels position positive
prefill present preview previous priority process processed processing profile prompt properties property provide provided range reasoning received
redacted reference refer reformat regain registered request requested requests require required requires reserved response responses result results
role roles root safeguards sampling satisfy schema scope search sequence sequences server service session short signature signed single size skills source
specified speed standard start state status stop store stored stream streaming strict string structure structured summary supplied support supported supports
surrogate system tag tags temperature text thinking tier tiers tiktoken times token tokens tool tools top total true ttl turn type types unicode union unique unit url urls usage user
users utf validation value values variant version versions web weight width window word words x-api-key x-anthropic-billing-header`

const CLOUDS = `access account accounts action actions activate activated active address admin administrator agent ai aiplatform allow allows amazon amz application
applications apply approved arn assigned assume assumed attached audience authentication authorization authorize authorized aws azure azureml balance bearer bedrock browser bucket
base calculated call caller capacity center certificate change check claude cloud cloudflare cognitive com common complete configured console contain
containing contains cookie coral correct create credential credentials credit credits cross current currently customer data day days demand deployed deployment
deployments detail details developer directory disk dns docs documentation domain edge enable endpoint endpoints engine environment explicit federation
feature firewall foundation foundry front fully gateway global go google googleapis group haiku handshake healthy hold host hostname hour hourly hours http https iam id identity ids
included including information infrastructure instance invoke issuer know known large learn license life limited limits link local location locations log
login look managed management mantle many marketplace method microsoft minute minutes moment month monthly mythos needed net network oauth offer on-demand
opus org organization organizations outbound owner path payment peer per-minute perform performing period permission permissions plan plans platform policy port predict prediction pricing
principal private produced prod project projects provider provisioned proxy publisher publishers purchase purchased quota quotas rate raw read realm refresh region regional
regions registration release remaining remote repo reserved resolve resource resources responsible restrict review role route safety second seconds secure security
selected send sending sent serve serving set sku sonnet specific spend ssl standard sts subject subscription subscriptions support switch tenant throughput time tls today
took traffic transport unified unlimited update upstream utc vertex via virtual visit vpc web week workspace workspaces write zone fable cert generic hate
self harm sexual violence jailbreak management indirect attack protected material abuse view subscribe connections paths blocked carry follow mb services servers`

/** Of proxies and pages of errors. */
const HTTP = `accept acceptable bad content entity envoy error found gateway html implemented large method moved nginx page permanently post redirect request server
temporarily title too unprocessable upstream`

const words = (text: string) => text.split(/\s+/)

export const ERROR_VOCABULARY: ReadonlySet<string> = new Set([GRAMMAR, TROUBLE, PROTOCOL, CLOUDS, HTTP].flatMap(words))
