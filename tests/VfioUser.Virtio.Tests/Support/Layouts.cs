namespace VfioUser.Virtio.Tests;

internal static class Layouts
{
    private const ulong Base = (ulong)(VirtioFeatures.Version1 | VirtioFeatures.AccessPlatform | VirtioFeatures.RingReset);

    public static VirtioDriverOptions Options(this Layout layout, int size = 16) => new()
    {
        QueueSize = size,
        Indirect = layout is Layout.SplitIndirect or Layout.PackedIndirect,
        Features = Base | (ulong)(layout switch
        {
            Layout.Split => VirtioFeatures.None,
            Layout.SplitWithEvents => VirtioFeatures.EventIndex,
            Layout.SplitIndirect => VirtioFeatures.EventIndex | VirtioFeatures.IndirectDescriptors,
            Layout.Packed => VirtioFeatures.RingPacked,
            Layout.PackedWithEvents => VirtioFeatures.RingPacked | VirtioFeatures.EventIndex,
            _ => VirtioFeatures.RingPacked | VirtioFeatures.EventIndex | VirtioFeatures.IndirectDescriptors,
        }),
    };

    public static bool IsPacked(this Layout layout) => layout >= Layout.Packed;

    public static TheoryData<Layout> All => [.. Enum.GetValues<Layout>()];
}
