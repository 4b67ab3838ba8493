using System.CommandLine;
using System.Globalization;
using VfioUser.Tool.CommandLine;

namespace VfioUser.Tool.Irqs;

/// <summary>Names of a PCI device's interrupt types. Source: <c>linux/vfio.h</c>, VFIO_PCI_*_IRQ_INDEX.</summary>
internal static class IrqName
{
    public const string Forms = "intx, msi, msix, err, req, or an index";

    private static readonly string[] Names = ["intx", "msi", "msix", "err", "req"];

    public static Argument<uint> Argument() => new("IRQ")
    {
        Description = Forms,
        CustomParser = result =>
        {
            string text = result.Tokens.Count == 0 ? "" : result.Tokens[0].Value;
            if (!TryParse(text, out uint index))
                result.AddError($"'{text}' is no interrupt type: {Forms}.");
            return index;
        },
    };

    public static bool TryParse(string text, out uint index)
    {
        int named = Array.FindIndex(Names, name => name.Equals(text, StringComparison.OrdinalIgnoreCase));
        ulong number = 0;
        bool known = named >= 0 || (Numbers.TryParse(text, out number) && number <= uint.MaxValue);
        index = named >= 0 ? (uint)named : known ? (uint)number : 0;
        return known;
    }

    public static string Of(uint index) => index < (uint)Names.Length ? Names[index] : string.Create(CultureInfo.InvariantCulture, $"irq {index}");
}
