using System.Text.Json;
using System.Text.Json.Serialization;

namespace VfioUser.Tool.Checking;

/// <summary>The verdicts of all rules; also the schema of <c>check --json</c>. Immutable.</summary>
internal sealed record CheckReport(string Socket, CheckSummary Summary, IReadOnlyList<CheckedRule> Rules);

/// <summary>Number of rules with each verdict.</summary>
internal sealed record CheckSummary(int Passed, int Failed, int Warnings, int NotServed, int NotChecked);

/// <summary>One rule and its verdict; why is null if there is no remark.</summary>
internal sealed record CheckedRule(string Topic, string Name, string Heading, string Text, Verdict Verdict, string? Why);

/// <summary>Makes JSON of a report without reflection.</summary>
[JsonSourceGenerationOptions(WriteIndented = true, UseStringEnumConverter = true, PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase)]
[JsonSerializable(typeof(CheckReport))]
internal sealed partial class CheckJson : JsonSerializerContext
{
    public static string Format(CheckReport report) => JsonSerializer.Serialize(report, Default.CheckReport);
}
