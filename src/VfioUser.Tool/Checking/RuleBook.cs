using VfioUser.Tool.Checking.Rules;

namespace VfioUser.Tool.Checking;

/// <summary>All rules, in the order of checking: those that others build on come first, the reset last.</summary>
internal static class RuleBook
{
    public static IReadOnlyList<Topic> Topics { get; } =
    [
        NegotiationRules.Topic,
        TwinSocketRules.Topic,
        MessageRules.Topic,
        StreamRules.Topic,
        RegionInfoRules.Topic,
        RegionAccessRules.Topic,
        ConfigSpaceRules.Topic,
        IrqRules.Topic,
        DmaRules.Topic,
        DmaRangeRules.Topic,
        WriteMultiRules.Topic,
        FeatureRules.Topic,
        MigrationRules.Topic,
        DirtyPagesRules.Topic,
        ClientRules.Topic,
        DeviceRules.Topic,
    ];
}
