namespace VfioUser;

/// <summary>What can be requested.</summary>
internal static class InspectionTopics
{
    public const string Server = "server";
    public const string Registers = "registers";
    public const string Dma = "dma";
    public const string Irqs = "irqs";
    public const string Refusals = "refusals";
    public const string Counters = "counters";

    /// <summary>All, as an error lists them.</summary>
    public const string All = "server, registers, dma, irqs, refusals, counters";
}
