using System.Reflection;
using Microsoft.Extensions.Logging;

namespace VfioUser.Tests.Metrics;

/// <summary>Whoever filters logs goes by ids and names: they are frozen. New events get new ids.</summary>
public class EventIdTests
{
    private static readonly Dictionary<int, string> Frozen = new()
    {
        [1] = "Listening",
        [2] = "Attached",
        [3] = "Detached",
        [4] = "PeerRefused",
        [5] = "NegotiationFailed",
        [6] = "Negotiated",
        [7] = "SessionBroken",
        [8] = "SessionFailed",
        [9] = "DeviceThrew",
        [10] = "Refused",
        [11] = "Mapped",
        [12] = "UnmapWaits",
        [13] = "UnmapAbandoned",
        [14] = "Message",
        [15] = "HookThrew",
        [16] = "CannotAccept",
        [17] = "ReplyDropped",
        [18] = "Inspectable",
        [19] = "InspectorRefused",
        [20] = "InspectionFailed",
        [40] = "MigrationStateChanged",
        [41] = "MigrationStateFailed",
        [42] = "MigrationDataRefused",
        [43] = "DirtyPagesStarted",
        [44] = "DirtyPagesTooLarge",
        [60] = "QuiesceWaits",
        [61] = "QuiesceAbandoned",
        [62] = "QuiesceFailed",
        [63] = "WorkersWait",
        [64] = "WorkersAbandoned",
        [65] = "ResetOnRequest",
        [80] = "DmaReplyMalformed",
        [81] = "DmaTimedOut",
        [82] = "DmaRefused",
        [83] = "DmaStreamBroken",
        [84] = "DmaBehindCommands",
        [90] = "NotMapped",
        [91] = "FirstRefused",
        [92] = "RefusedInAll",
        [93] = "Busy",
        [94] = "DisposeThrew",
    };

    private static readonly List<(int Id, string Name, LogLevel Level)> Events =
    [
        .. from method in typeof(ServerLog).GetMethods(BindingFlags.Instance | BindingFlags.Public | BindingFlags.NonPublic)
           let attribute = method.GetCustomAttribute<LoggerMessageAttribute>()
           where attribute is not null
           select (attribute.EventId, attribute.EventName ?? method.Name, attribute.Level),
    ];

    [Fact]
    public void No_event_id_was_renamed_or_removed() =>
        Frozen.Should().OnlyContain(frozen => Events.Any(known => known.Id == frozen.Key && known.Name == frozen.Value));

    [Fact]
    public void No_id_is_used_twice() => Events.Select(known => known.Id).Should().OnlyHaveUniqueItems();

    [Fact]
    public void The_document_names_every_event_with_its_level_and_no_other() =>
        ObservabilityDocument.Table("id", "name", "level").Select(row => $"{row[0]} {row[1]} {row[2]}")
            .Should().BeEquivalentTo(Events.Select(known => $"{known.Id} {known.Name} {known.Level}"));

    [Fact]
    public void Events_leave_with_their_names()
    {
        Capture capture = new();

        new ServerLog(capture).SessionBroken("");

        capture.Seen.Should().Be(new EventId(7, "SessionBroken"));
        capture.Seen.Name.Should().Be("SessionBroken");
    }

    private sealed class Capture : ILogger
    {
        public EventId Seen { get; private set; }

        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => true;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter) => Seen = eventId;
    }
}
