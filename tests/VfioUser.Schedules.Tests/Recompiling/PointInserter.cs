using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.CSharp.Syntax;

namespace VfioUser.Schedules;

/// <summary>Puts a point before each statement of a block: so plain fields are raced for, too.</summary>
internal sealed class PointInserter : CSharpSyntaxRewriter
{
    public override SyntaxNode? VisitBlock(BlockSyntax node)
    {
        BlockSyntax visited = (BlockSyntax)base.VisitBlock(node)!;
        return visited.WithStatements(SyntaxFactory.List(visited.Statements.SelectMany(WithPoint)));
    }

    private static IEnumerable<StatementSyntax> WithPoint(StatementSyntax statement)
    {
        if (statement is LocalFunctionStatementSyntax)
            return [statement];
        string name = SymbolDisplay.FormatLiteral(FirstLine(statement), quote: true);
        return [SyntaxFactory.ParseStatement($"global::VfioUser.Schedules.Schedule.Point({name});\n"), statement];
    }

    private static string FirstLine(StatementSyntax statement) => "at " + statement.ToString().Split('\n')[0].Trim();
}
