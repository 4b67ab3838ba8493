using System.CommandLine;
using System.Globalization;
using VfioUser.Tool.CommandLine;

namespace VfioUser.Tool.Irqs;

/// <summary>Names of a PCI device's interrupt types. Source: <c>linux/vfio.h</c>, VFIO_PCI_*_IRQ_INDEX.</summary>
internal static class IrqName
{
    private static readonly string[] Names = ["intx", "msi", "msix", "err", "req"];

    public static Argument<uint> Argument() => new("IRQ")
    {
        Description = "intx, msi, msix, err, req, or an index",
        CustomParser = result =>
        {
            string text = result.Tokens.Count == 0 ? "" : result.Tokens[0].Value;
            int named = Array.FindIndex(Names, name => name.Equals(text, StringComparison.OrdinalIgnoreCase));
            if (named >= 0)
                return (uint)named;
            if (!Numbers.TryParse(text, out ulong index) || index > uint.MaxValue)
                result.AddError($"'{text}' is no interrupt type: intx, msi, msix, err, req, or an index.");
            return (uint)index;
        },
    };

    public static string Of(uint index) => index < (uint)Names.Length ? Names[index] : string.Create(CultureInfo.InvariantCulture, $"irq {index}");
}
