namespace VfioUser;

internal static class DmaResultShould
{
    public static DmaResultAssertions Should(this DmaResult result) => new(result);
}
