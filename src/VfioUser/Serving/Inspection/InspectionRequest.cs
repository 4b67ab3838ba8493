namespace VfioUser;

/// <summary>The request of an inspector, a line of JSON. Immutable.</summary>
/// <param name="Show">One of <see cref="InspectionTopics"/>.</param>
/// <param name="From">The first item to show, from 0; where the answer before ended.</param>
internal sealed record InspectionRequest(string? Show, int From = 0);
